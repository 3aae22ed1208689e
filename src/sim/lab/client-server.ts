// One server that is always there, and clients that share its line.

import { FILE_OCTETS, fromServer, UPLINK } from './distribute.ts';
import type { Scenario } from './stage.ts';

const CLIENTS = 12;

export const clientServer: Scenario = {
  name: 'client-server',
  title: 'A server and many clients',
  teaches:
    `Twelve clients ask one server for the same file of ${FILE_OCTETS / 1000} KB. The server ` +
    `has one listening socket and one connection for each client, all with local port 80. Its ` +
    `line carries ${UPLINK / 1000} KB a second, and everybody shares it: every copy of the file ` +
    'leaves by the same door, so the time until the last client has it grows with their number.',
  look: [
    'One LISTEN and twelve ESTAB rows with the same local port: the four numbers differ',
    'The flow table finds each of them in one or two cells (view Ports)',
    'The share of each client evens out: congestion control is fair enough (RFC 5681)',
    'Compare with the scenario of peers, who upload too',
  ],
  speed: 1,
  untilUs: 20_000_000,
  build(stage) {
    const drawing = stage.drawing('Clients that have the file', 's', '', ['clients']);
    drawing.series[0]?.points.push([0, 0]);
    let have = 0;
    fromServer(stage, 1, CLIENTS, (seconds, client) => {
      have++;
      drawing.series[0]?.points.push([seconds, have]);
      stage.say(`c1-${client + 1}`, `has the file after ${seconds.toFixed(2)} s (${have})`);
    });
  },
};
