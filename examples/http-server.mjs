// An HTTP server with an IP address of its own: sudo node examples/http-server.mjs, then
// curl http://10.77.0.2/ from another terminal. Any http framework works the same way.

import http from 'node:http';
import { createHost } from 'portside';

const host = await createHost({ tun: { name: 'portside0' }, addresses: ['10.77.0.2/24'] });
const site = http.createServer((req, res) => res.end(`hello from ${req.socket.localAddress}\n`));
const server = host.net.createServer((socket) => site.emit('connection', socket));
server.listen(80, () => console.log('http://10.77.0.2/'));
process.once('SIGINT', () => host.close());
