// CommonJS: a tracker over UDP, HTTP and websockets, and its client, which announces by UDP and HTTP.
const { Client, Server } = require('bittorrent-tracker');

const server = new Server({ udp: true, http: true, ws: false, stats: false, interval: 600_000 });
const seen = [];
server.on('error', (error) => console.error(error));
server.on('start', (_address, params) => seen.push(`start ${params.type} ${params.ip}`));

function announce(url) {
  return new Promise((resolve, reject) => {
    const client = new Client({
      infoHash: Buffer.alloc(20, 1),
      peerId: Buffer.alloc(20, url.charCodeAt(0)),
      announce: [url],
      port: 6881,
    });
    client.on('error', reject);
    client.on('warning', reject);
    client.once('update', (data) => {
      client.destroy();
      resolve(`${url.slice(0, 4)} complete ${data.complete} incomplete ${data.incomplete}`);
    });
    client.start();
  });
}

server.listen(8000, { http: '127.0.0.1', udp: '127.0.0.1', udp6: '::1' }, async () => {
  const answers = [
    await announce(`udp://127.0.0.1:${server.udp.address().port}`),
    await announce(`http://127.0.0.1:${server.http.address().port}/announce`),
  ];
  console.log(JSON.stringify([...seen, ...answers]));
  server.close();
});
