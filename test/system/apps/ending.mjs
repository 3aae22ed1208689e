// Loaded beside a program: at the end of standard input it waits until the connections of the clients
// are gone, closes the host, and tells what was left: connections before, sockets after, and whatever
// still holds the event loop.
import { host } from 'portside/register';

const PATIENCE_MS = 10_000;
const IDLE = ['LISTEN', 'UNCONN', 'TIME-WAIT'];

function rows(...but) {
  const found = host.stack.sockets().filter((row) => !but.includes(row.state));
  return found.map((r) => `${r.state} ${r.localPort} ${r.remoteAddress}:${r.remotePort}`);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

process.stdin.resume().once('end', async () => {
  const last = performance.now() + PATIENCE_MS;
  while (rows(...IDLE).length > 0 && performance.now() < last) await pause(20);
  const open = rows(...IDLE);
  await host.close({ deadlineMs: 500 });
  await pause(0);
  const resources = process.getActiveResourcesInfo().filter((name) => !/Pipe|Immediate/.test(name));
  console.log(JSON.stringify({ open, left: rows('TIME-WAIT'), resources }));
  process.exit(0);
});
