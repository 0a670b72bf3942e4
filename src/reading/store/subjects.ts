/** The store's methods, by subject. Whoever acts or looks is a parameter, and what they may is decided in the SQL. */
import { markBookmarks, ownBookmark, removeBookmarks, saveBookmark, userTags } from './bookmarks.ts'
import { bringPage, nextOwnPage, ownHighlights, ownStars, starAgain } from './carried.ts'
import { listComments, starComment } from './comments.ts'
import * as doors from './doors.ts'
import {
  checkedEntry,
  countUsers,
  describeEntry,
  ensureAddress,
  entriesToCheck,
  findEntry,
  findSite,
} from './entries.ts'
import * as feeds from './feeds.ts'
import { listFollows, listHides, setFollow, setHide } from './follows.ts'
import { addHighlight, changeHighlight, listHighlights, removeHighlight } from './highlights.ts'
import { saveMany } from './import.ts'
import * as imports from './imports.ts'
import * as jobs from './jobs.ts'
import { editKeywordGroups, keywordCount, keywordIndex, keywordsStarting, trendingKeywords } from './keywords.ts'
import { listReports, report, resolveReport, setHidden, setUserHidden } from './moderation.ts'
import { findProfile, ownBookmarks } from './own-data.ts'
import { addImage, addVersion, findImage, findVersion, listVersions } from './pages.ts'
import { addShare, findShare } from './shares.ts'

export const SUBJECTS = {
  entries: {
    find: findEntry,
    site: findSite,
    countUsers,
    ensure: ensureAddress,
    describe: describeEntry,
    checked: checkedEntry,
    toCheck: entriesToCheck,
  },
  bookmarks: {
    save: saveBookmark,
    saveMany,
    own: ownBookmark,
    mark: markBookmarks,
    remove: removeBookmarks,
    tags: userTags,
    /** All of one's own, to take away. */
    page: ownBookmarks,
    profile: findProfile,
  },
  comments: { list: listComments, star: starComment, starred: ownStars, starAgain },
  follows: { set: setFollow, list: listFollows, hide: setHide, hidden: listHides },
  highlights: {
    add: addHighlight,
    change: changeHighlight,
    remove: removeHighlight,
    list: listHighlights,
    own: ownHighlights,
  },
  keywords: {
    index: keywordIndex,
    starting: keywordsStarting,
    count: keywordCount,
    trending: trendingKeywords,
    editGroups: editKeywordGroups,
  },
  moderation: { report, reports: listReports, resolve: resolveReport, setHidden, setUserHidden },
  shares: { add: addShare, find: findShare },
  pages: {
    addVersion,
    find: findVersion,
    list: listVersions,
    addImage,
    image: findImage,
    nextOwn: nextOwnPage,
    bring: bringPage,
  },
  feeds: {
    subscribe: feeds.subscribe,
    unsubscribe: feeds.unsubscribe,
    list: feeds.listSubscriptions,
    items: feeds.listFeedItems,
    markRead: feeds.markFeedRead,
    due: feeds.feedsToFetch,
    find: feeds.findFeed,
    fetched: feeds.fetchedFeed,
  },
  jobs: { add: jobs.addJob, take: jobs.takeJob, finish: jobs.finishJob, fail: jobs.failJob, count: jobs.countJobs },
  imports: {
    begin: imports.beginImport,
    find: imports.findImport,
    list: imports.listImports,
    unfinished: imports.unfinishedImports,
    open: imports.openImport,
    setTotal: imports.setImportTotal,
    refuse: imports.refuseInImport,
    end: imports.endImport,
  },
  tokens: { create: doors.createToken, find: doors.findToken, list: doors.listTokens, remove: doors.removeToken },
  webhooks: {
    create: doors.createWebhook,
    list: doors.listWebhooks,
    change: doors.changeWebhook,
    remove: doors.removeWebhook,
    for: doors.webhooksFor,
    sent: doors.sentWebhook,
  },
  invitations: {
    create: doors.createInvitation,
    find: doors.findInvitation,
    use: doors.useInvitation,
    list: doors.listInvitations,
    remove: doors.removeInvitation,
  },
  settings: {
    read: doors.readSettings,
    change: doors.changeSettings,
    readRoom: doors.readRoomSetting,
    setRoom: doors.setRoomSetting,
  },
} as const
