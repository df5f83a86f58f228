import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../../base/metrics.ts';
import { tellOfProcess } from './process-metrics.ts';

test('a process tells when it started, and what it uses', () => {
  const metrics = createMetrics();
  tellOfProcess(metrics);
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics.text())?.[1]);
  const first = value('process_cpu_seconds_total');
  assert.ok(first > 0);
  assert.ok(value('process_cpu_seconds_total') >= first);
  assert.ok(value('process_start_time_seconds') > 1_600_000_000);
  assert.ok(value('process_resident_memory_bytes') > 1_000_000);
});
