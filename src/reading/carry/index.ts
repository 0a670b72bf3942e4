/**
 * What is somebody's own, carried out of the library and into it (Node): exports in every format, imports that go on where
 * they stopped, and backups of the whole.
 *
 *     for await (const piece of exportOwn(store, userId, 'kaidoku')) file.write(piece)
 *     const id = await store.imports.begin(userId, { format: '', fileName, content, private: false })
 *     await runImport(store, id, (done, total) => console.log(`${done}/${total}`))
 */
export { BackupError, backup, restore } from './backup.ts'
export { EXPORTS, type ExportFormat, exportOwn } from './export.ts'
export { runImport, runUnfinishedImports } from './import.ts'
