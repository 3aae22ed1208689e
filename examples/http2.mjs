// HTTP/2 without TLS on loopback, server and client.

import http2 from 'node:http2';
import { createHost } from 'portside';

const host = await createHost();
const site = http2.createServer((req, res) => res.end(`h${req.httpVersion} ${req.url}\n`));
const server = host.net.createServer((socket) => site.emit('connection', socket));
server.listen(80, () => {
  const createConnection = () => host.net.connect(80, 'localhost');
  const session = http2.connect('http://localhost', { createConnection });
  const stream = session.request({ ':path': '/hello' });
  stream.on('close', () => session.close(() => host.close())).pipe(process.stdout);
});
