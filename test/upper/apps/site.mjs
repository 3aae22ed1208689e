// A fastify application that stays up: a page, an upload that is counted, a large answer.
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import Fastify from 'fastify';

const app = Fastify();
app.addContentTypeParser('*', (_request, body, done) => done(null, body));
app.get('/', async (request) => ({ ip: request.ip, host: request.headers.host }));
app.put('/sha256', async (request) => {
  const hash = createHash('sha256');
  for await (const chunk of request.body) hash.update(chunk);
  return hash.digest('hex');
});
app.get('/zeros/:megabytes', (request, reply) => {
  const piece = Buffer.alloc(1 << 20);
  reply.send(Readable.from(Array.from({ length: Number(request.params.megabytes) }, () => piece)));
});
console.log(await app.listen({ port: 80, host: '0.0.0.0' }));
