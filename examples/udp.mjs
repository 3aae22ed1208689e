// Two hosts on a cable inside this process, talking UDP: no root, no device.

import { createHost } from 'portside';
import { Cable } from 'portside/core';

const cable = new Cable();
const a = await createHost({ link: cable.end('a'), addresses: ['10.0.0.1/24'] });
const b = await createHost({ link: cable.end('b'), addresses: ['10.0.0.2/24'] });
const server = b.dgram.createSocket('udp4', (m, from) => server.send(m, from.port, from.address));
const client = a.dgram.createSocket('udp4', async (message, from) => {
  console.log(`${message} from ${from.address}:${from.port}`);
  await Promise.all([a.close(), b.close()]);
});
server.bind(9, () => client.send('hello over UDP', 9, '10.0.0.2'));
