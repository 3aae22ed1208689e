// Loaded beside a program: tells at its end, on a line of its own, what went over portside.
import { host } from 'portside/register';

process.on('exit', () => {
  const sockets = host.stack.sockets().filter((s) => s.state !== 'TIME-WAIT');
  const { tcp, udp } = counts();
  console.log(JSON.stringify({ tcp, udp, left: sockets.length }));
});

function counts() {
  const counters = host.stack.counters;
  return { tcp: counters.get('TcpInSegs'), udp: counters.get('UdpInDatagrams') };
}
