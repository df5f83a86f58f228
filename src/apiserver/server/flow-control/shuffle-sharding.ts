/**
 * Shuffle sharding (k8s.io/apiserver pkg/util/shufflesharding): each flow is dealt a hand of queues, so that a flow that floods its queues
 * shares all of them with few others.
 */

const prime = 0x100000001b3n;
const word = (1n << 64n) - 1n;
const usedBits = (1n << 60n) - 1n;

/** FNV-1a of the UTF-16 text, of which 60 bits are used: as many as dealing may take. */
export function flowHash(flow: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (let i = 0; i < flow.length; i++) hash = ((hash ^ BigInt(flow.charCodeAt(i))) * prime) & word;
  return (hash ^ (hash >> 32n)) & usedBits;
}

/** `hand` different cards of `deck`, decided by the hash alone. */
export function dealHand(hash: bigint, deck: number, hand: number): number[] {
  const cards: number[] = [];
  const drawn: number[] = [];
  let rest = hash;
  for (let i = 0; i < hand; i++) {
    const left = BigInt(deck - i);
    let card = Number(rest % left);
    rest /= left;
    drawn.push(card);
    // A card is counted among those that are left: step over what was drawn, the last one first.
    for (let j = i - 1; j >= 0; j--) if (card >= (drawn[j] ?? 0)) card += 1;
    cards.push(card);
  }
  return cards;
}
