// Nothing here knows of portside: node --import portside/register examples/register.mjs. With
// PORTSIDE=10.77.0.2/24 in its environment (and root) the same lines answer at http://10.77.0.2:8080/.

import http from 'node:http';

const server = http.createServer((req, res) => res.end(`hello from ${req.socket.localAddress}\n`));
server.listen(8080, async () => {
  if (process.env.PORTSIDE) return;
  console.log(await (await fetch('http://localhost:8080/')).text());
  server.close();
});
