/**
 * Pages in the shapes that generators of technical pages make, each with what must survive: the exact text of its code, the
 * cells of its tables, the source of its formulas. Written for this test; none is anybody's page.
 */
export interface CorpusPage {
  name: string
  html: string
  code?: string[]
  languages?: string[]
  /** Each table, row by row. */
  tables?: string[][][]
  formulas?: string[]
  /** Words that must be there, and words that must not. */
  has?: string[]
  hasNot?: string[]
  title?: string
}

const P = (n: number) =>
  Array.from(
    { length: n },
    (_, i) =>
      `<p>Packets that arrive on an interface are handled in the order of arrival, and number ${i} is no exception to it, since the queue, which has a limit, keeps them so.</p>`,
  ).join('\n')
const JA =
  '<p>ロードバランサは、到着したパケットの宛先を書き換えて実サーバへ渡します。ここでは、その仕組みを実際に手を動かしながら、順を追って確かめていきます。</p>'.repeat(
    4,
  )
const page = (title: string, body: string, head = '') =>
  `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${title} | Some Site</title>${head}</head><body><header class="site-header"><nav><a href="/">Home</a> <a href="/about">About</a></nav></header>${body}<footer class="site-footer">Copyright <script>track()</script></footer></body></html>`

const SH =
  '$ ip addr add 10.0.0.1/24 dev eth0\n$ ping -c 1 10.0.0.2\nPING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.\n64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=0.05 ms\n'
const C = 'int main(void)\n{\n\tif (a < b && c > d)\n\t\treturn 0;\n\n    return 1;\n}\n'
const e = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
const lines = (text: string) => text.replace(/\n$/, '').split('\n')

export const CORPUS: CorpusPage[] = [
  {
    name: 'MediaWiki: syntax highlighting, wikitable, edit links',
    html: page(
      'ARP',
      `<main id="content"><h1 id="firstHeading">ARP</h1><div id="mw-content-text"><div class="mw-parser-output">${P(3)}<h2><span class="mw-headline" id="Use">Use</span><span class="mw-editsection">[<a href="/edit">edit</a>]</span></h2><div class="mw-highlight mw-highlight-lang-bash mw-content-ltr" dir="ltr"><pre><span></span>${e(SH)}</pre></div><table class="wikitable"><tbody><tr><th>Field</th><th>Bytes</th></tr><tr><td>Operation</td><td>2</td></tr></tbody></table>${P(2)}</div></div></main>`,
    ),
    code: [SH],
    languages: ['bash'],
    tables: [
      [
        ['Field', 'Bytes'],
        ['Operation', '2'],
      ],
    ],
    hasNot: ['edit]'],
  },
  {
    name: 'MediaWiki: formula with MathML and a fallback picture',
    html: page(
      'Delay',
      `<div id="mw-content-text" class="mw-body-content"><div class="mw-parser-output">${P(3)}<p>So <span class="mwe-math-element"><span class="mwe-math-mathml-inline mwe-math-mathml-a11y" style="display: none;"><math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mrow><mi>d</mi><mo>=</mo><mi>s</mi></mrow><annotation encoding="application/x-tex">{\\displaystyle d=s/v}</annotation></semantics></math></span><img src="/render/svg/1" class="mwe-math-fallback-image-inline" alt="{\\displaystyle d=s/v}"></span> holds.</p>${P(2)}</div></div>`,
    ),
    formulas: ['{\\displaystyle d=s/v}'],
  },
  {
    name: 'Hugo with Chroma: line numbers in a table',
    html: page(
      'LVS',
      `<article class="post-content"><h1>LVS</h1>${P(3)}<div class="highlight"><div class="chroma"><table class="lntable"><tr><td class="lntd"><pre tabindex="0" class="chroma"><code><span class="lnt">1\n</span><span class="lnt">2\n</span></code></pre></td><td class="lntd"><pre tabindex="0" class="chroma"><code class="language-c" data-lang="c"><span class="line"><span class="cl"><span class="kt">int</span> a;\n</span></span><span class="line"><span class="cl">  b &lt;&lt;= 1;\n</span></span></code></pre></td></tr></table></div></div>${P(2)}</article>`,
    ),
    code: ['int a;\n  b <<= 1;\n'],
    languages: ['c'],
  },
  {
    name: 'Hugo with Chroma: inline line numbers',
    html: page(
      'LVS',
      `<article><h1>LVS</h1>${P(3)}<div class="highlight"><pre class="chroma"><code class="language-bash" data-lang="bash"><span class="line"><span class="ln">1</span><span class="cl">ipvsadm -A -t 10.0.0.100:80 -s rr\n</span></span><span class="line"><span class="ln">2</span><span class="cl">ipvsadm -Ln\n</span></span></code></pre></div>${P(2)}</article>`,
    ),
    code: ['ipvsadm -A -t 10.0.0.100:80 -s rr\nipvsadm -Ln\n'],
    languages: ['bash'],
  },
  {
    name: 'Sphinx: highlight-console, headerlinks, a docutils table',
    html: page(
      'Guide',
      `<div class="document"><div class="sphinxsidebar" role="navigation"><a href="#">Contents</a></div><div class="body" role="main"><section id="guide"><h1>Guide<a class="headerlink" href="#guide" title="Link">¶</a></h1>${P(3)}<div class="highlight-console notranslate"><div class="highlight"><pre><span></span><span class="gp">$ </span>make<span class="w"> </span>-j2\n<span class="go">  CC      main.o</span>\n</pre></div></div><table class="docutils align-default"><thead><tr class="row-odd"><th class="head"><p>Option</p></th><th class="head"><p>Default</p></th></tr></thead><tbody><tr><td><p><code class="docutils literal notranslate"><span class="pre">nohz</span></code></p></td><td><p>on</p></td></tr></tbody></table>${P(2)}</section></div></div>`,
    ),
    code: ['$ make -j2\n  CC      main.o\n'],
    languages: ['console'],
    tables: [
      [
        ['Option', 'Default'],
        ['nohz', 'on'],
      ],
    ],
    hasNot: ['¶'],
  },
  {
    name: 'Sphinx: linenos=table, math by MathJax',
    html: page(
      'Queue',
      `<div role="main"><h1>Queue</h1>${P(3)}<div class="highlight-python"><table class="highlighttable"><tr><td class="linenos"><div class="linenodiv"><pre><span class="normal">1</span>\n<span class="normal">2</span></pre></div></td><td class="code"><div class="highlight"><pre><span></span>def f(x):\n    return x\n</pre></div></td></tr></table></div><div class="math notranslate nohighlight">\\[\\rho = \\frac{\\lambda}{\\mu} < 1\\]</div><p>where <span class="math notranslate nohighlight">\\(\\lambda\\)</span> arrives.</p>${P(2)}</div>`.replace(
        '< 1',
        '&lt; 1',
      ),
    ),
    code: ['def f(x):\n    return x\n'],
    languages: ['python'],
    formulas: ['\\rho = \\frac{\\lambda}{\\mu} < 1', '\\lambda'],
  },
  {
    name: 'A man page in HTML (man.cgi-like): pre with bold and links, definition lists',
    html: page(
      'tc(8)',
      `<h1 class="page-title">tc(8) — Linux manual page</h1><table class="head"><tr><td>TC(8)</td><td>Linux</td><td>TC(8)</td></tr></table><div class="manual-text"><section class="Sh"><h2>SYNOPSIS</h2><pre><b>tc</b> [ <i>OPTIONS</i> ] <b>qdisc</b> [ add | del ] <b>dev</b> <i>DEV</i>\n       [ parent <i>qdisc-id</i> | root ]\n</pre>${P(3)}<dl><dt><b>-s</b></dt><dd>Output more statistics about packet usage.</dd></dl></section></div>`,
    ),
    code: ['tc [ OPTIONS ] qdisc [ add | del ] dev DEV\n       [ parent qdisc-id | root ]\n'],
    has: ['Output more statistics'],
  },
  {
    name: 'GitHub README: clipboard buttons, a task table, heading anchors',
    html: page(
      'x/y',
      `<div id="readme"><article class="markdown-body entry-content container-lg" itemprop="text"><div class="markdown-heading"><h1 class="heading-element">y</h1><a id="user-content-y" class="anchor" href="#y"><svg></svg></a></div>${P(2)}<div class="highlight highlight-source-shell notranslate position-relative overflow-auto"><pre>git clone https://example.com/y.git\n<span class="pl-c1">cd</span> y <span class="pl-k">&amp;&amp;</span> make</pre><div class="zeroclipboard-container"><clipboard-copy value="x"><svg></svg></clipboard-copy></div></div><markdown-accessiblity-table><table><thead><tr><th>Name</th><th align="right">Value</th></tr></thead><tbody><tr><td><code>a|b</code></td><td align="right">1</td></tr></tbody></table></markdown-accessiblity-table>${P(2)}</article></div>`,
    ),
    code: ['git clone https://example.com/y.git\ncd y && make'],
    languages: ['shell'],
    tables: [
      [
        ['Name', 'Value'],
        ['a|b', '1'],
      ],
    ],
  },
  {
    name: 'Qiita-like: code frame with a file name, a note, MathJax source',
    html: page(
      'IPVSを試す',
      `<article><h1>IPVSを試す</h1><section class="it-MdContent">${JA}<div class="code-frame" data-lang="bash"><div class="code-lang"><span class="bold">setup.sh</span></div><div class="highlight"><pre><code><span class="nb">sudo </span>ipvsadm <span class="nt">-A</span> <span class="nt">-t</span> 10.0.0.100:80 <span class="nt">-s</span> rr\n</code></pre></div></div>${JA}<table><thead><tr><th>項目</th><th>値</th></tr></thead><tbody><tr><td>方式</td><td>rr</td></tr></tbody></table></section></article>`,
    ),
    code: ['sudo ipvsadm -A -t 10.0.0.100:80 -s rr\n'],
    languages: ['bash'],
    tables: [
      [
        ['項目', '値'],
        ['方式', 'rr'],
      ],
    ],
  },
  {
    name: 'Zenn-like: code-block-container, KaTeX by embed',
    html: page(
      'ARPの話',
      `<article><div class="znc BodyContent">${JA}<div class="code-block-container"><div class="code-block-filename-container"><span class="code-block-filename">main.rs</span></div><pre class="language-rust"><code class="language-rust code-line" data-line="10"><span class="token keyword">fn</span> <span class="token function">main</span>() {\n    let x: Vec&lt;u8&gt; = vec![];\n}\n</code></pre></div><p><span class="katex"><span class="katex-mathml"><math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow><annotation encoding="application/x-tex">x^2</annotation></semantics></math></span><span class="katex-html" aria-hidden="true"><span>x2</span></span></span>です。</p>${JA}</div></article>`,
    ),
    code: ['fn main() {\n    let x: Vec<u8> = vec![];\n}\n'],
    languages: ['rust'],
    formulas: ['x^2'],
  },
  {
    name: 'Hatena Blog-like: pre.code with data-lang, keyword links, footnotes',
    html: page(
      'カーネルを読む',
      `<div id="container"><article class="entry hentry"><header><h1 class="title"><a href="/entry/1">カーネルを読む</a></h1></header><div class="entry-content hatenablog-entry">${JA}<pre class="code lang-c" data-lang="c" data-unlink><span class="synType">int</span> x = <span class="synConstant">1</span>;\n<span class="synStatement">if</span> (x &lt; 2)\n    y();\n</pre><p>これは<a class="keyword" href="http://d.hatena.ne.jp/keyword/x">パケット</a>です<sup>*1</sup>。</p>${JA}</div></article><aside id="box2"><div class="hatena-module">プロフィール</div></aside></div>`,
    ),
    code: ['int x = 1;\nif (x < 2)\n    y();\n'],
    languages: ['c'],
    hasNot: ['プロフィール'],
  },
  {
    name: 'An old page: everything in tables, font and pre',
    html: `<html><head><title>Linux Virtual Server no tukaikata</title></head><body bgcolor="#ffffff"><table width=100% border=0><tr><td width=150 valign=top><font size=2><a href="a.html">menu1</a><br><a href="b.html">menu2</a></font></td><td><font size=+2><b>LVS</b></font><hr>${P(4)}<pre>\n# ipvsadm -A -t 10.0.0.100:80 -s rr\n# ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.1 -m\n</pre><table border=1><tr><th>algo<th>name<tr><td>rr<td>round robin<tr><td>wlc<td>weighted</table>${P(3)}</td></tr></table></body></html>`,
    code: ['# ipvsadm -A -t 10.0.0.100:80 -s rr\n# ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.1 -m\n'],
    tables: [
      [
        ['algo', 'name'],
        ['rr', 'round robin'],
        ['wlc', 'weighted'],
      ],
    ],
  },
  {
    name: 'LWN-like: ArticleText, pre blocks within paragraphs that nobody closed',
    html: page(
      'Some news',
      `<div class="pure-grid"><div class="PageHeadline"><h1>Some news</h1></div><div class="ArticleText"><main>${P(2)}<p>Here is a patch:<pre>\n    struct sk_buff *skb;\n\n    skb = alloc_skb(len, GFP_KERNEL);\n</pre><p>It goes on.${P(3)}</main></div></div>`,
    ),
    code: ['    struct sk_buff *skb;\n\n    skb = alloc_skb(len, GFP_KERNEL);\n'],
  },
  {
    name: 'docs.rs-like: signatures, source links, many small blocks',
    html: page(
      'Vec in std',
      `<main><section id="main-content" class="content"><div class="main-heading"><h1>Struct <span class="struct">Vec</span></h1></div><pre class="rust item-decl"><code>pub struct Vec&lt;T, A = Global&gt;<div class="where">where\n    A: Allocator,</div>{ <span class="comment">/* private fields */</span> }</code></pre><details class="toggle top-doc" open><summary>Expand</summary><div class="docblock">${P(2)}<div class="example-wrap"><pre class="rust rust-example-rendered"><code><span class="kw">let </span><span class="kw-2">mut </span>vec = Vec::new();\nvec.push(<span class="number">1</span>);</code></pre></div>${P(2)}</div></details></section></main>`,
    ),
    code: [
      'pub struct Vec<T, A = Global>where\n    A: Allocator,\n{ /* private fields */ }',
      'let mut vec = Vec::new();\nvec.push(1);',
    ],
    languages: ['rust', 'rust'],
  },
  {
    name: 'highlight.js with line numbers in a table',
    html: page(
      'JS',
      `<article><h1>JS</h1>${P(3)}<pre><code class="hljs language-javascript"><table class="hljs-ln"><tbody><tr><td class="hljs-ln-line hljs-ln-numbers" data-line-number="1"><div class="hljs-ln-n" data-line-number="1"></div></td><td class="hljs-ln-line hljs-ln-code" data-line-number="1"><span class="hljs-keyword">const</span> a = <span class="hljs-number">1</span></td></tr><tr><td class="hljs-ln-line hljs-ln-numbers" data-line-number="2"><div class="hljs-ln-n"></div></td><td class="hljs-ln-line hljs-ln-code" data-line-number="2">  b()</td></tr></tbody></table></code></pre>${P(2)}</article>`,
    ),
    code: ['const a = 1\n  b()\n'],
    languages: ['javascript'],
  },
  {
    name: 'Jekyll with Rouge: a table of line numbers',
    html: page(
      'Ruby',
      `<div class="post"><article class="post-content"><h1>Ruby</h1>${P(3)}<div class="language-ruby highlighter-rouge"><div class="highlight"><pre class="highlight"><code><table class="rouge-table"><tbody><tr><td class="rouge-gutter gl"><pre class="lineno">1\n2\n3\n</pre></td><td class="rouge-code"><pre><span class="k">def</span> <span class="nf">x</span>\n  <span class="mi">1</span>\n<span class="k">end</span>\n</pre></td></tr></tbody></table></code></pre></div></div>${P(2)}</article></div>`,
    ),
    code: ['def x\n  1\nend\n'],
    languages: ['ruby'],
  },
  {
    name: 'KaTeX, display and inline',
    html: page(
      'Sums',
      `<article><h1>Sums</h1>${P(3)}<p><span class="katex-display"><span class="katex"><span class="katex-mathml"><math xmlns="http://www.w3.org/1998/Math/MathML" display="block"><semantics><mrow><munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover></mrow><annotation encoding="application/x-tex">\\sum_i^n x_i</annotation></semantics></math></span><span class="katex-html" aria-hidden="true"><span class="base">∑ni</span></span></span></span></p>${P(2)}</article>`,
    ),
    formulas: ['\\sum_i^n x_i'],
    hasNot: ['∑ni'],
  },
  {
    name: 'MathJax 2: scripts and what they drew',
    html: page(
      'Old sums',
      `<article><h1>Old sums</h1>${P(3)}<p>So <span class="MathJax_Preview"></span><span class="MathJax" id="MathJax-Element-1-Frame"><nobr>drawn1</nobr></span><script type="math/tex" id="MathJax-Element-1">e^{i\\pi} < 0</script> and</p><div class="MathJax_Display"><span class="MathJax">drawn2</span></div><script type="math/tex; mode=display">\\int_0^1 x\\,dx</script>${P(2)}</article>`,
    ),
    formulas: ['e^{i\\pi} < 0', '\\int_0^1 x\\,dx'],
    hasNot: ['drawn1', 'drawn2'],
  },
  {
    name: 'MathJax 3: containers with assistive MathML',
    html: page(
      'New sums',
      `<article><h1>New sums</h1>${P(3)}<p>So <mjx-container class="MathJax" jax="CHTML"><mjx-math aria-hidden="true">drawn</mjx-math><mjx-assistive-mml unselectable="on" display="inline"><math xmlns="http://www.w3.org/1998/Math/MathML"><mfrac><mi>a</mi><mi>b</mi></mfrac></math></mjx-assistive-mml></mjx-container>.</p>${P(2)}</article>`,
    ),
    formulas: ['<mfrac><mi>a</mi><mi>b</mi></mfrac>'],
  },
  {
    name: 'Formulas that a script would draw: TeX in the text',
    html: page(
      'Raw TeX',
      `<article><h1>Raw TeX</h1>${P(3)}<p>The load is \\(\\rho = \\lambda / \\mu\\), or $$\\sum_k p_k = 1$$ as it were.</p>${P(2)}</article>`,
    ),
    has: ['\\(\\rho = \\lambda / \\mu\\)', '$$\\sum_k p_k = 1$$'],
  },
  {
    name: 'A gist within an article: a line a row',
    html: page(
      'With a gist',
      `<article class="post"><h1>With a gist</h1>${P(3)}<div id="gist1" class="gist"><div class="gist-file"><div class="gist-data"><div class="js-gist-file-update-container"><div class="file-box"><table class="highlight tab-size js-file-line-container" data-tab-size="8"><tbody>${lines(
        C,
      )
        .map(
          (line, i) =>
            `<tr><td id="L${i + 1}" class="blob-num js-line-number js-blob-rnum" data-line-number="${i + 1}"></td><td id="LC${i + 1}" class="blob-code blob-code-inner js-file-line">${e(line)}</td></tr>`,
        )
        .join('\n')}</tbody></table></div></div></div></div></div>${P(2)}</article>`,
    ),
    code: [C],
  },
  {
    name: 'WordPress with SyntaxHighlighter: a div a line',
    html: page(
      'Lines',
      `<div class="entry-content">${P(3)}<div class="syntaxhighlighter bash"><table border="0" cellpadding="0" cellspacing="0"><tbody><tr><td class="gutter"><div class="line number1">1</div><div class="line number2">2</div></td><td class="code"><div class="container"><div class="line number1"><code class="bash plain">ls -l</code></div><div class="line number2"><code class="bash plain">cat a | grep b</code></div></div></td></tr></tbody></table></div>${P(2)}</div>`,
    ),
    code: ['ls -l\ncat a | grep b\n'],
  },
  {
    name: 'Docusaurus with Prism: a span a line, br at each end, a copy button',
    html: page(
      'Docs',
      `<main><article><div class="theme-doc-markdown markdown"><h1>Docs</h1>${P(3)}<div class="language-yaml codeBlockContainer theme-code-block"><div class="codeBlockContent"><pre tabindex="0" class="prism-code language-yaml codeBlock"><code class="codeBlockLines"><span class="token-line" style="color:#393A34"><span class="token key">lab</span>:<br></span><span class="token-line"><span class="token plain">  hosts: { a: {} }</span><br></span></code></pre><div class="buttonGroup"><button type="button" aria-label="Copy code">Copy</button></div></div></div>${P(2)}</div></article></main>`,
    ),
    code: ['lab:\n  hosts: { a: {} }\n'],
    languages: ['yaml'],
  },
  {
    name: 'Pandoc: sourceCode with line spans, an image of a formula',
    html: page(
      'Pandoc',
      `<body>${P(3)}<div class="sourceCode" id="cb1"><pre class="sourceCode bash"><code class="sourceCode bash"><span id="cb1-1"><a href="#cb1-1" aria-hidden="true" tabindex="-1"></a><span class="ex">tcpdump</span> <span class="at">-ni</span> eth0</span>\n<span id="cb1-2"><a href="#cb1-2"></a><span class="bu">echo</span> done</span></code></pre></div><p>Also <span class="math inline">\\(a+b\\)</span>.</p><p><img class="latex" src="/cgi/1.png" alt="\\sqrt{2}"></p>${P(2)}</body>`,
    ),
    code: ['tcpdump -ni eth0\necho done'],
    languages: ['bash'],
    formulas: ['a+b', '\\sqrt{2}'],
  },
  {
    name: 'Asciidoctor: callouts, listing blocks, a table with a caption',
    html: page(
      'Adoc',
      `<div id="content"><div class="sect1"><h2>Adoc</h2><div class="sectionbody">${P(3)}<div class="listingblock"><div class="title">Listing 1</div><div class="content"><pre class="rouge highlight"><code data-lang="console">[root@director ~]# ipvsadm -Ln\nIP Virtual Server version 1.2.1 (size=4096)\n</code></pre></div></div><table class="tableblock frame-all grid-all"><caption class="title">Table 1</caption><colgroup><col style="width: 50%;"><col></colgroup><thead><tr><th class="tableblock">A</th><th>B</th></tr></thead><tbody><tr><td class="tableblock"><p class="tableblock">1</p></td><td><p>2</p></td></tr></tbody></table>${P(2)}</div></div></div>`,
    ),
    code: ['[root@director ~]# ipvsadm -Ln\nIP Virtual Server version 1.2.1 (size=4096)\n'],
    languages: ['console'],
    tables: [
      [
        ['A', 'B'],
        ['1', '2'],
      ],
    ],
  },
  {
    name: 'A question and its answers: many blocks, little text',
    html: page(
      'Why is my ping lost?',
      `<div id="mainbar"><div class="question"><h1>Why is my ping lost?</h1><div class="s-prose js-post-body" itemprop="text"><p>I ran this.</p><pre class="lang-bash s-code-block"><code class="hljs language-bash">ping 10.0.0.2\n</code></pre></div></div><div id="answers">${[1, 2, 3].map((n) => `<div class="answer"><div class="s-prose js-post-body"><p>Try number ${n}, as the manual says, and look whether the neighbour is there at all, since nothing can be sent without one.</p><pre><code>ip neigh show dev eth${n}\n</code></pre></div></div>`).join('')}</div></div>`,
    ),
    code: ['ping 10.0.0.2\n', 'ip neigh show dev eth1\n', 'ip neigh show dev eth2\n', 'ip neigh show dev eth3\n'],
  },
  {
    name: 'A data table of an old page with no th, and a nested layout',
    html: `<html><head><title>Ports</title></head><body><center><table border=0 cellpadding=5><tr><td>${P(4)}<table border=1><tr><td>port</td><td>service</td></tr><tr><td>22</td><td>ssh</td></tr><tr><td>80</td><td>http</td></tr></table>${P(2)}</td></tr></table></center></body></html>`,
    tables: [
      [
        ['port', 'service'],
        ['22', 'ssh'],
        ['80', 'http'],
      ],
    ],
  },
  {
    name: 'Tabs, runs of blanks, empty lines and CRLF in a plain pre',
    html: page(
      'Blanks',
      `<article><h1>Blanks</h1>${P(3)}<pre>\r\na\tb\r\n\r\n\r\n   c   d  \r\n</pre>${P(2)}</article>`,
    ),
    code: ['a\tb\n\n\n   c   d  \n'],
  },
]
