/**
 * What is somebody's own, carried out of the library (Node): exports in every format; and backups of the whole.
 *
 *     for await (const piece of exportOwn(store, userId, 'kaidoku')) file.write(piece)
 *     await backup(store, 'kaidoku.backup')
 */
export { BackupError, backup, restore, verifyBackup } from './backup.ts'
export { EXPORTS, type ExportFormat, exportOwn } from './export.ts'
