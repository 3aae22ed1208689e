import { test } from 'vitest';
import { runScript } from '/work/main/test/kit/script.ts';

test('x', () => {
  const bench = runScript(
    `
  0 listen 80
  0 < S 0:0(0) win 4000 <mss 1000>
  +0 > S. 0:0(0) ack 1 <mss 1460>
  +.1 < . 1:1(0) ack 1 win 4000
      +0 write(4000)
      +0 forget
      +.1 < . 1:1(0) ack 1001 win 0
      +0 forget
    `,
    { allowLeftover: true },
  );
  let answered = 0;
  while (bench.elapsedUs < 3600e6 && answered < 500) {
    bench.runTo(Math.min(bench.nextEventUs(), 3600e6));
    if (bench.outbox.length === 0) continue;
    console.log(bench.outbox.map((o) => bench.describe(o)).join('\n'));
    bench.outbox.length = 0;
    answered++;
    bench.inject({
      kind: 'tcp',
      flags: 16,
      pshOptional: false,
      seq: 1,
      len: 0,
      ack: 1001,
      win: 0,
      urg: 0,
      options: [],
    });
  }
  console.log(bench.socket.info());
});
