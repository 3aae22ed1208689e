// A test of a program that retries: undici's RetryAgent as it is, in a network that loses 5 % of
// all packets and is cut for five seconds. Milliseconds of real time, and the same each time:
//   npx vitest run examples/retry.test.mjs

import { createNetwork } from 'portside/sim';
import { Agent, RetryAgent, request } from 'undici';
import { expect, test } from 'vitest';

test('a request gets through a network that is cut for five seconds', async () => {
  const network = createNetwork({ seed: 42, impairment: { delayUs: 20_000, loss: 0.05 } });
  const [client, server] = [network.host('client'), network.host('server')];
  const paths = [];
  const site = server.http.createServer((req, res) => {
    paths.push(req.url);
    res.end('here I am');
  });
  site.listen(80);

  const took = await network.run(
    async () => {
      const errorCodes = ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_SOCKET'];
      const agent = new Agent({ headersTimeout: 1000, connect: { timeout: 1000 } });
      const dispatcher = new RetryAgent(agent, { errorCodes, minTimeout: 500, maxRetries: 8 });
      const path = network.path(client, server).cut();
      setTimeout(() => path.heal(), 5000);
      const began = Date.now();
      const { body } = await request('http://server/a', { dispatcher });
      expect(await body.text()).toBe('here I am');
      return Date.now() - began;
    },
    { on: client },
  );

  expect(took).toBeGreaterThan(5000);
  expect(paths).toContain('/a');
  // The first attempts were swallowed, the last one was answered.
  const attempts = network.connections({ client: 'client', port: 80 });
  expect(attempts.length).toBeGreaterThan(1);
  expect(attempts[0].there.lost).toBe(attempts[0].there.packets);
  await network.close();
});
