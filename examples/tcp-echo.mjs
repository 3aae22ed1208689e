// A TCP echo server and its client on loopback inside this process: no root, no device.

import { createHost } from 'portside';

const host = await createHost();
const server = host.net.createServer((socket) => socket.pipe(socket));
server.listen(7, () => {
  const client = host.net.connect(7, 'localhost', () => client.end('hello, world\n'));
  client.pipe(process.stdout);
  client.on('close', () => host.close());
});
