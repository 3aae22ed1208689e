// The line to the server: frames come as server-sent events, orders go as POST with the key that
// the page's own address holds.

import type { Frame, PacketDetail, Wants } from '../frames.ts';

/** `/KEY/`, the folder of this page. */
const TOKEN = location.pathname.split('/')[1];

async function post(path: string, body: object): Promise<unknown> {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'x-portside-token': TOKEN, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error((await response.text()).trim());
  return await response.json();
}

export class Line {
  #client = 0;
  #wants: Wants = { views: [], host: '', conn: null };

  constructor(onFrame: (frame: Frame) => void, onState: (connected: boolean) => void) {
    const source = new EventSource('events');
    source.onmessage = (event: MessageEvent<string>) => {
      const frame = JSON.parse(event.data) as Frame;
      if (frame.client !== undefined) {
        this.#client = frame.client;
        onState(true);
        this.#tell();
      }
      onFrame(frame);
    };
    source.onerror = () => onState(false);
  }

  want(wants: Wants): void {
    if (JSON.stringify(wants) === JSON.stringify(this.#wants)) return;
    this.#wants = wants;
    if (this.#client > 0) this.#tell();
  }

  #tell(): void {
    void post('want', { client: this.#client, ...this.#wants }).catch(() => {});
  }

  async packet(n: number): Promise<PacketDetail | null> {
    const response = await fetch(`packet/${n}`);
    return response.ok ? ((await response.json()) as PacketDetail) : null;
  }

  act(name: string, what: object = {}): Promise<unknown> {
    return post(`do/${name}`, what);
  }
}
