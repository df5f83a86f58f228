/**
 * Lets so many pieces of work begin in each turn of the event loop, in the order they came. A client with a hundred requests on its way
 * would else have the loop to itself until the last of them was seen to: answers that are ready would wait, it would fall idle waiting for
 * them, and all requests would be in memory half done.
 */
export function createTurns(perTurn: number): (work: () => void) => void {
  const waiting: (() => void)[] = [];
  let room = perTurn;
  let scheduled = false;

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(turn);
  }
  function turn(): void {
    scheduled = false;
    const due = waiting.splice(0, perTurn);
    room = perTurn - due.length;
    if (due.length > 0) schedule();
    for (const work of due) work();
  }
  return work => {
    schedule();
    if (room === 0) waiting.push(work);
    else {
      room -= 1;
      work();
    }
  };
}
