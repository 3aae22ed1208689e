// CommonJS: a tracker over HTTP and UDP; says who started, completed and stopped.
const { Server } = require('bittorrent-tracker');

const server = new Server({ udp: true, http: true, ws: false, stats: false, interval: 2000 });
server.on('error', (error) => console.error(error.message));
server.on('warning', (error) => console.error(error.message));
for (const event of ['start', 'complete', 'stop']) {
  server.on(event, (_address, params) => {
    console.log(`${event} ${params.type} ${params.ip}:${params.port}`);
  });
}
const us = process.env.TEST_US;
server.listen(6969, { http: us, udp: us, udp6: '::1' }, () => console.log('ready'));
