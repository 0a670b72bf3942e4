/**
 * HTTP/1: `curl`, `python3 -m http.server`, `nginx` for simple sites, `ab` and `wrk`.
 *
 *     http.install(image)
 *     // then, on two hosts: python3 -m http.server 80 &  and: curl -v http://server/
 */
import { lazyMain, type Room } from '#kernel/core'

export const http: Room = {
  name: 'user/http',
  needs: [],
  install(image) {
    const bin = (name: string) => [`/usr/bin/${name}`]
    image.program({ name: 'curl', paths: bin('curl'), main: lazyMain(() => import('./curl.ts').then((it) => it.curl)) })
    image.program({
      name: 'python3',
      paths: ['/usr/bin/python3', '/usr/bin/python3.11'],
      main: lazyMain(() => import('./python.ts').then((it) => it.python3)),
    })
    image.program({
      name: 'nginx',
      paths: ['/usr/sbin/nginx'],
      main: lazyMain(() => import('./nginx.ts').then((it) => it.nginx)),
    })
    image.program({ name: 'ab', paths: bin('ab'), main: lazyMain(() => import('./ab.ts').then((it) => it.ab)) })
    image.program({ name: 'wrk', paths: bin('wrk'), main: lazyMain(() => import('./wrk.ts').then((it) => it.wrk)) })
  },
}
