import { virtualClock } from '../../../src/base/virtual-clock.ts';
import { createMemoryStore } from '../../../src/store/memory/index.ts';
import { storeConformance } from './suite.ts';

storeConformance('memory', async () => {
  const clock = virtualClock();
  const store = createMemoryStore({ clock });
  return { store, pass: ms => clock.advance(ms), close: () => store.close() };
});
