export interface BenchResult {
  name: string;
  value: number;
  unit: string;
  /** The same work done bare, in the same run. */
  floor?: number;
  /** value / floor (or as the name says). */
  ratio?: number;
  /** The issue's own target, as text: "≥ 0.6". */
  target?: string;
  met?: boolean;
}
