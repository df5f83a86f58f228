/** Files that are not imported: beside the sources in a checkout, beside the bundle in the package. */
const inBundle = !import.meta.url.endsWith('.ts');

/** The thread that owns the embedded store's file. */
export const storeWorkerUrl = inBundle
  ? new URL('./store-worker.js', import.meta.url)
  : new URL('../store/embedded/worker.ts', import.meta.url);

/** Texts of fields, for explain. */
export const fieldDocsUrl = inBundle
  ? new URL('./docs.json', import.meta.url)
  : new URL('../api/catalog/docs.json', import.meta.url);
