// A name server and a client that asks it, on the process's own loopback: the packets are DNS.

import { createHost } from 'portside';
import { decodeDns, dnsAnswer, encodeDns } from 'portside/core';

const host = await createHost({ dns: { servers: ['127.0.0.1'], hosts: '10.1.1.1 db.lan' } });
const server = host.dgram.createSocket('udp4', (octets, from) => {
  const query = decodeDns(octets);
  const [{ name, type }] = query.questions;
  const answers = type === 1 ? [{ kind: 'A', name, ttl: 60, address: '10.9.9.9' }] : [];
  server.send(encodeDns(dnsAnswer(query, { answers })), from.port, from.address);
});
await new Promise((resolve) => server.bind(53, '127.0.0.1', resolve));
const { lookup, resolve4 } = host.dns.promises;
console.log((await lookup('db.lan')).address, (await lookup('a.example')).address);
console.log(await resolve4('b.example', { ttl: true }));
await host.close();
