// undici's fetch through a host: a dispatcher whose connections are the host's. npm install undici.

import http from 'node:http';
import { createHost } from 'portside';
import { Agent, fetch } from 'undici';

const host = await createHost();
const site = http.createServer((req, res) => res.end(`fetched ${req.url}`));
host.net.createServer((socket) => site.emit('connection', socket)).listen(80);
const dispatcher = new Agent({
  connect({ hostname, port }, done) {
    const socket = host.net.connect(port || 80, hostname, () => done(null, socket));
    socket.once('error', (error) => done(error, null));
  },
});
console.log(await (await fetch('http://localhost/hello', { dispatcher })).text());
await Promise.all([dispatcher.close(), host.close()]);
