// CommonJS: ftp-srv over an empty folder, and a client of sockets: login, STOR, SIZE, RETR, QUIT.
const { mkdtempSync, rmSync } = require('node:fs');
const net = require('node:net');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const FtpSrv = require('ftp-srv');

const root = mkdtempSync(join(tmpdir(), 'portside-ftp-'));
const quiet = { child: () => quiet };
for (const level of ['trace', 'debug', 'info', 'warn', 'error']) quiet[level] = () => {};
const server = new FtpSrv({
  url: 'ftp://127.0.0.1:2121',
  pasv_url: '127.0.0.1',
  anonymous: true,
  log: quiet,
});
server.on('login', (_data, resolve) => resolve({ root }));

/** Sends a line, answers with the next reply. */
function speaker(socket) {
  const waiting = [];
  let text = '';
  socket.setEncoding('utf8').on('data', (d) => {
    text += d;
    for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
      const line = text.slice(0, end);
      text = text.slice(end + 2);
      if (/^\d{3} /.test(line)) waiting.shift()?.(line);
    }
  });
  return (line) =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (line) socket.write(`${line}\r\n`);
    });
}

async function passive(say) {
  const [, high, low] = /(\d+),(\d+)\)/.exec(await say('PASV'));
  return net.connect(high * 256 + Number(low), '127.0.0.1');
}

async function main() {
  await server.listen();
  const socket = net.connect(2121, '127.0.0.1');
  const say = speaker(socket);
  const seen = [await say(''), await say('USER anonymous'), await say('PASS x')];
  await say('TYPE I');
  const up = await passive(say);
  const started = say('STOR file.bin');
  const stored = started.then(() => say(''));
  await started;
  up.end(Buffer.alloc(300_000, 7));
  seen.push(await stored, await say('SIZE file.bin'));
  const down = await passive(say);
  let octets = 0;
  down.on('data', (d) => {
    octets += d.length;
  });
  const ended = new Promise((resolve) => down.on('end', resolve));
  const begun = say('RETR file.bin');
  const done = begun.then(() => say(''));
  await begun;
  await ended;
  await done;
  await say('QUIT');
  socket.end();
  console.log(JSON.stringify([seen.map((line) => line.slice(0, 3)), octets]));
  await server.close();
}

main().finally(() => rmSync(root, { recursive: true }));
