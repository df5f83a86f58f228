/** The body does not fit the type. The message is the one that Go's decoder gives. */
export class DecodeError extends Error {}
