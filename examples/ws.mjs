// A websocket server and its client on loopback: npm install ws.

import http from 'node:http';
import { createHost } from 'portside';
import { WebSocket, WebSocketServer } from 'ws';

const host = await createHost();
const site = http.createServer();
new WebSocketServer({ server: site }).on('connection', (s) => s.on('message', (m) => s.send(m)));
host.net.createServer((socket) => site.emit('connection', socket)).listen(80);
const createConnection = (options) => host.net.connect(options);
const client = new WebSocket('ws://localhost/', { createConnection });
client.on('open', () => client.send('hello over ws'));
client.on('message', (m) => client.close(1000, m));
client.on('close', (_code, reason) => host.close(console.log(String(reason))));
