import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { virtualClock } from '../../../src/base/virtual-clock.ts';
import { openEmbeddedStore } from '../../../src/store/embedded/index.ts';
import type { MemoryBounds } from '../../../src/store/embedded/past.ts';
import { storeConformance } from './suite.ts';

function embedded(name: string, memory: Partial<MemoryBounds>): void {
  storeConformance(name, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tsukube-store-'));
    const clock = virtualClock();
    const store = await openEmbeddedStore({ directory, clock, log: silentLogger, metrics: createMetrics(), memory });
    return {
      store,
      pass: ms => clock.advance(ms),
      close: async () => {
        await store.close();
        await rm(directory, { recursive: true });
      },
    };
  });
}

embedded('embedded', {});
embedded('embedded, with its history on disk only', { revisions: 1 });
