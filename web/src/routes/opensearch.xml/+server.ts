/** So that a browser can search the room from its address bar. OpenSearch 1.1, "OpenSearch description document". */
import type { RequestHandler } from './$types'

export const GET: RequestHandler = ({ url }) =>
  new Response(
    `<?xml version="1.0" encoding="UTF-8"?>
<OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/">
  <ShortName>Kaidoku</ShortName>
  <Description>An executable reading room</Description>
  <InputEncoding>UTF-8</InputEncoding>
  <Image width="16" height="16" type="image/svg+xml">${url.origin}/icon.svg</Image>
  <Url type="text/html" template="${url.origin}/search?q={searchTerms}"/>
</OpenSearchDescription>
`,
    { headers: { 'content-type': 'application/opensearchdescription+xml' } },
  )
