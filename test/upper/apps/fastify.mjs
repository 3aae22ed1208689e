// A fastify application as anybody would write it, and what asks it: fetch, with keep-alive.
import Fastify from 'fastify';

const app = Fastify({ keepAliveTimeout: 500 });
app.get('/hello/:name', async (request) => ({ hello: request.params.name, ip: request.ip }));
app.post('/echo', async (request) => request.body);
const url = await app.listen({ port: 3000, host: '127.0.0.1' });
const json = (path, init) => fetch(`${url}${path}`, init).then((r) => r.json());
const answers = [await json('/hello/world'), await json('/hello/again')];
const headers = { 'content-type': 'application/json' };
answers.push(await json('/echo', { method: 'POST', headers, body: '{"n":[1,2,3]}' }));
console.log(JSON.stringify(answers));
await app.close();
