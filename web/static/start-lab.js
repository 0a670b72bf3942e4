// Starts the lab's worker while the page is still being read; src/lib/lab/start.ts takes it over.
window.kaidokuLab = new Worker(document.currentScript.dataset.worker, { type: 'module', name: 'lab' })
