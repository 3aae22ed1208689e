// The same file among peers, who give on what they get.

import { amongPeers, FILE_OCTETS, fromServer, UPLINK } from './distribute.ts';
import type { Drawing, Scenario, Stage } from './stage.ts';

const SIZES = [1, 2, 4, 8];

/** Notes the time when the last of `n` has the file. */
function last(stage: Stage, drawing: Drawing, way: 0 | 1, n: number): (seconds: number) => void {
  let have = 0;
  const name = way === 0 ? `server1${n}` : `tracker2${n}`;
  return (seconds) => {
    have++;
    if (have < n) return;
    const points = drawing.series[way]?.points ?? [];
    points.push([n, seconds]);
    points.sort(([a], [b]) => a - b);
    const who = way === 0 ? 'from the server' : 'among peers';
    stage.say(name, `${who}: all of ${n} have the file after ${seconds.toFixed(2)} s`);
  };
}

export const peerToPeer: Scenario = {
  name: 'peer-to-peer',
  title: 'Peers with a tracker, against a server',
  teaches:
    `A file of ${FILE_OCTETS / 1000} KB goes to one, two, four and eight hosts, twice: from one ` +
    'server to all of them, and among peers. A tracker tells each peer of those who came before; ' +
    'they connect to one another, say which of the 20 pieces they have, ask for the rarest ' +
    `first, and hand on what they have got. Every uplink carries ${UPLINK / 1000} KB a second. ` +
    'With a server the time grows with the number of hosts; among peers every newcomer brings an ' +
    'uplink along, and the time hardly grows.',
  look: [
    'The two lines of the drawing: time against the number of hosts',
    'The bound of the server: n · F / u. The bound of peers: n · F / (u + n · u), or F / u',
    'Every peer listens and connects: its sockets table has both kinds',
    'The tracker’s connections are short; it never sees a piece',
  ],
  speed: 1,
  untilUs: 20_000_000,
  build(stage) {
    const names = ['from a server', 'among peers'];
    const drawing = stage.drawing('Time until everybody has the file', 'hosts', 's', names);
    for (const n of SIZES) {
      fromServer(stage, 10 + n, n, last(stage, drawing, 0, n));
      amongPeers(stage, 20 + n, n, last(stage, drawing, 1, n));
    }
  },
};
