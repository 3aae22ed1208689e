// The door `portside/register`: `node --import portside/register app.js` puts the process on
// portside before the program's first line, as the environment or portside.config.json says.

import { registerFromEnvironment, unregister } from './node/register.ts';

/** The host beneath the process; null with PORTSIDE=off. */
export const host = await registerFromEnvironment();
export { unregister };
