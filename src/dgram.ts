// The door `portside/dgram`: node:dgram on the process's default host; no device, no rights needed.

import { defaultHost } from './node/default-host.ts';

const dgram = defaultHost().dgram;

export default dgram;
export const { Socket, createSocket } = dgram;
