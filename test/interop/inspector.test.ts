// The inspector's page in a real chromium, over a host under traffic and over the laboratory.
// Every view is judged by what it shows; nothing is said on the console and nobody else is asked.
// Pictures of the views lie in build/screenshots.

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, PORTSIDE, type Portside, US, until } from '../system/netns.ts';
import { launch, openTab, overflow, type Tab } from './browser-tab.ts';

const lab = new Lab();
let browser: Browser;

beforeAll(async () => {
  browser = await launch(lab.dir);
});

afterAll(async () => {
  await browser?.close();
  lab.close();
});

/** Nothing on the console, and no request but to the page's own server. */
function expectQuiet(tab: Tab, url: string): void {
  expect(tab.said).toEqual([]);
  expect([...tab.asked]).toEqual([new URL(url).origin]);
}

describe('over a host under traffic', () => {
  let up: Portside;
  let url: string;
  let tab: Tab;

  beforeAll(async () => {
    up = await lab.up(`${US}/24`, '--http', '--iperf3', '--inspect');
    url = /^inspector: (\S+)$/m.exec(up.out)?.[1] as string;
    tab = await openTab(browser, url);
    await tab.shows('.pill, .row', 'LISTEN');
    lab.spawn(['iperf3', '-c', US, '-R', '-b', '4M', '-t', '600']);
    const get = `http://${US}/bytes/1000000000`;
    lab.spawn([
      'curl',
      '-s',
      '--limit-rate',
      '1M',
      '--local-port',
      '40001',
      '-o',
      '/dev/null',
      get,
    ]);
    const small = `while sleep 1; do curl -s http://${US}/ -o /dev/null; `;
    lab.spawn(['sh', '-c', `${small} echo x | nc -u -w 1 ${US} 99; done`]);
  });

  afterAll(async () => {
    await tab?.close();
    await up?.stop();
  });

  test('sockets: listeners, connections with their numbers, and the filters of ss', async () => {
    await tab.view('sockets');
    await tab.shows('.row', /tcp\s*LISTEN\s*0\s*511\s*\[::\]:80\s*\*/);
    await tab.shows('.row', /tcp\s*ESTAB.*10\.77\.0\.2:80\s*10\.77\.0\.1:40001.*[km]B\/s/i);
    await tab.picture('live-sockets');
    await tab.page.fill('#filter', 'state established ( sport = :5201 )');
    await tab.shows('.bar', /^2 of \d+ sockets$/);
    expect(await tab.rows()).toEqual([
      expect.stringMatching(/ESTAB.*10\.77\.0\.2:5201/),
      expect.stringMatching(/ESTAB.*10\.77\.0\.2:5201/),
    ]);
    await tab.page.fill('#filter', '');
    expectQuiet(tab, url);
  });

  test('ports: who holds them, and how full the flow table is', async () => {
    await tab.view('ports');
    await tab.shows('.row', /tcp\s*5201\s*3\s*LISTEN \[::\]:5201 \(backlog 0\/511\) · 2 × ESTAB/);
    await tab.shows('.card', /tcp flow table\s*\d+ flows in 128 cells/);
    await tab.picture('live-ports');
    expectQuiet(tab, url);
  });

  test('packets: a list with verdicts, one taken apart, a field beside its octets', async () => {
    await tab.view('packets');
    await tab.page.fill('#filter', '99 udp');
    await tab.shows('.row', /10\.77\.0\.1\s*10\.77\.0\.2\s*UDP.*→ 99 Len=2\s*NO_SOCKET/);
    await tab.page.fill('#filter', 'tcp 40001');
    await tab.shows('.row', /out\s*10\.77\.0\.2\s*10\.77\.0\.1\s*TCP.*80 → 40001 \[.*ACK\] Seq=\d/);
    await tab.page.keyboard.press('Enter');
    await tab.page.keyboard.press('ArrowDown');
    await tab.page.keyboard.press('Enter');
    await tab.shows('.tree', /IPv4.*Time to live\s*64.*TCP.*Source port/s);
    await tab.page.locator('.field', { hasText: 'Total length' }).focus();
    await tab.page.locator('.hex [data-at="2"].lit').waitFor();
    expect(await tab.page.locator('.hex .lit').count()).toBe(2);
    await tab.picture('live-packets');
    expectQuiet(tab, url);
  });

  test('counters: values, their speed, what they mean', async () => {
    await tab.view('counters');
    await tab.shows('.row', /TcpOutSegs\s*[\d,]+\s*[\d,]+\s*segments/);
    await tab.page.fill('#filter', 'UdpNoPorts');
    await tab.shows('.bar', /^1 of \d+ counters/);
    await tab.picture('live-counters');
    expectQuiet(tab, url);
  });

  test('drops: the reason, how many, the last packet', async () => {
    await tab.view('drops');
    const example =
      /NO_SOCKET\d+.*\d\d:\d\d:\d\d\.\d{6} IP 10\.77\.0\.1\.\d+ > 10\.77\.0\.2\.99: UDP/s;
    await tab.shows('.card', example);
    await tab.picture('live-drops');
    expectQuiet(tab, url);
  });

  test('network: links, addresses, routes', async () => {
    await tab.view('network');
    await tab.shows('.row', /portside0\s*1,500\s*10\.77\.0\.2\/24/);
    await tab.shows('.row', /default\s*10\.77\.0\.1\s*portside0/);
    await tab.picture('live-network');
    expectQuiet(tab, url);
  });

  test('events: a line for each change, with its cause', async () => {
    await tab.view('events');
    await tab.shows('.row', /portside0\s*state\s*LISTEN → SYN-RECV: SYN received\s*tcp 10\.77/);
    await tab.shows('.row', /drop\s*NO_SOCKET: 30 octets/);
    await tab.picture('live-events');
    expectQuiet(tab, url);
  });

  test('a connection: its state lit, its moves, segments over time, windows, buffer, tcp_info', async () => {
    await tab.view('sockets');
    await tab.open(/:40001/);
    await tab.shows('.state.lit', 'ESTAB');
    // it began behind the page's own beginning, so its moves are known though nobody looked
    await tab.shows('.moves li', 'SYN-RECV → ESTAB handshake complete');
    for (const label of ['Time and sequence', 'Windows', 'Round trip and RTO']) {
      const canvas = tab.page.locator(`canvas[aria-label^="${label};"]`);
      await until(label, async () => Number(await canvas.getAttribute('data-points')) > 2);
    }
    await tab.shows('.card', /Send buffer.*acknowledged [\d.]+ [kM]B/s);
    await tab.shows('.info', /state\s*ESTAB.*congestion\s*cubic.*rtt\s*[\d.]+ [µm]s/s);
    await tab.picture('live-connection');
    expectQuiet(tab, url);
  });

  test('the state diagram is lit live, to the end; another page shows another connection', async () => {
    const other = await openTab(browser, `${url}#sockets`, { dark: true });
    const get = [
      'curl',
      '-s',
      '--limit-rate',
      '1',
      '-o',
      '/dev/null',
      `http://${US}/bytes/1000000000`,
    ];
    const curl = lab.spawn([...get, '--local-port', '40002']);
    await other.open(/:40002/);
    await other.shows('.state.lit', 'ESTAB');
    await other.picture('live-connection-dark');
    curl.kill('SIGKILL');
    // `ip netns exec` becomes curl itself: its end closes the connection, or resets it
    await other.shows('.state.lit', 'CLOSED');
    await tab.shows('.state.lit', 'ESTAB');
    expectQuiet(other, url);
    await other.close();
  });

  test('on a phone nothing runs out of the page, in any view', async () => {
    const phone = await openTab(browser, `${url}#sockets`, { width: 390, height: 844 });
    await phone.shows('.row', 'LISTEN');
    for (const view of ['sockets', 'ports', 'packets', 'counters', 'drops', 'network', 'events']) {
      await phone.view(view);
      expect(`${view} ${await overflow(phone.page)}`).toBe(`${view} 0`);
    }
    await phone.view('sockets');
    await phone.open(/:40001/);
    await phone.shows('.state.lit', 'ESTAB');
    expect(await overflow(phone.page)).toBe(0);
    await phone.picture('live-phone');
    expectQuiet(phone, url);
    await phone.close();
  });
});

describe('over the laboratory', () => {
  let url: string;
  let tab: Tab;

  beforeAll(async () => {
    const child = lab.spawnOutside([...PORTSIDE, 'lab', 'fast-retransmit']);
    let out = '';
    child.stdout?.on('data', (chunk) => {
      out += chunk;
    });
    await until('its address', () => out.includes('\n'));
    url = out.trim();
    tab = await openTab(browser, url);
  });

  afterAll(async () => {
    await tab?.close();
  });

  test('a scenario plays to its end and tells its story', async () => {
    await tab.shows('.lesson', /fast retransmit/i);
    await tab.page.keyboard.press('+');
    await tab.shows('.lab-bar', /· end$/);
    await tab.shows('.story', /is taken for lost: what was sent later has arrived \(RFC 8985 §6\)/);
    await tab.shows('.story', /sends \d+–\d+ again/);
    await tab.picture('lab-scenario');
    expectQuiet(tab, url);
  });

  test('its packets, events, drops and network are those of the story', async () => {
    await tab.view('packets');
    await tab.page.fill('#filter', 'sent again');
    await tab.shows('.row', /RFC 8985 §6, RFC 6298 §5\.4: sent again/);
    await tab.view('events');
    await tab.shows('.row', /state\s*SYN-SENT → ESTAB/);
    await tab.view('counters');
    await tab.shows('.row', /TcpRetransSegs|TcpOutSegs/);
    await tab.view('network');
    await tab.shows('.row', /10\.0\.0\.1/);
    await tab.view('ports');
    await tab.shows('.row', /tcp\s*80/);
    expectQuiet(tab, url);
  });

  test('a connection of it: the loss, SACK blocks and the second sending are drawn', async () => {
    await tab.view('lab');
    await tab.page.locator('.links button').first().click();
    await tab.shows('.moves li', 'ESTAB');
    const canvas = tab.page.locator('canvas[aria-label^="Time and sequence;"]');
    const words = (await canvas.getAttribute('aria-label')) ?? '';
    expect(words).toMatch(/segments: [1-9]\d* points/);
    await tab.picture('lab-connection');
    expectQuiet(tab, url);
  });
});
