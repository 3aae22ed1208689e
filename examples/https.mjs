// HTTPS both ways on loopback: KEY and CERT are the paths of a key and its certificate.

import { readFileSync } from 'node:fs';
import https from 'node:https';
import { createHost } from 'portside';

const [key, cert] = [process.env.KEY, process.env.CERT].map((path) => readFileSync(path));
const host = await createHost();
const site = https.createServer({ key, cert }, (req, res) => res.end(`secure ${req.url}\n`));
const server = host.net.createServer((socket) => site.emit('connection', socket));
server.listen(443, () => {
  const socket = host.net.connect(443, 'localhost'); // an Agent's createConnection does the same
  const request = https.get({ socket, ca: cert, host: 'localhost', path: '/hello', agent: false });
  request.on('response', (res) => res.pipe(process.stdout).on('unpipe', () => host.close()));
});
