// A fastify application on a host: its server takes the host's connections. npm install fastify.

import http from 'node:http';
import Fastify from 'fastify';
import { createHost } from 'portside';

const host = await createHost();
const app = Fastify({ serverFactory: (handler) => http.createServer(handler) });
app.get('/hello/:name', async (request) => ({ hello: request.params.name, ip: request.ip }));
await app.ready();
host.net.createServer((socket) => app.server.emit('connection', socket)).listen(80);
const request = http.get({ createConnection: () => host.net.connect(80), path: '/hello/world' });
request.on('response', (res) => res.pipe(process.stdout).on('unpipe', () => host.close()));
