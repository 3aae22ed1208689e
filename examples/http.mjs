// HTTP both ways on loopback: a keep-alive agent whose sockets are the host's.

import http from 'node:http';
import { createHost } from 'portside';

const host = await createHost();
const site = http.createServer((req, res) => res.end(`hello from ${req.url}\n`));
const server = host.net.createServer((socket) => site.emit('connection', socket));
const agent = Object.assign(new http.Agent({ keepAlive: true }), {
  createConnection: (options, done) => host.net.connect(options, done),
});
server.listen(80, () => {
  const request = http.get('http://localhost/a/path', { agent });
  request.on('response', (res) => res.pipe(process.stdout).on('unpipe', () => host.close()));
});
