-- Worktrees of agents, and files that two agents changed. Times are in ns.
CREATE TABLE repos (
  repo_id    TEXT PRIMARY KEY,                 -- hash of machine and common_dir
  machine    TEXT NOT NULL,                    -- "local": this one
  common_dir TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE worktrees (
  worktree_id  TEXT PRIMARY KEY,
  repo_id      TEXT NOT NULL REFERENCES repos (repo_id),
  agent_id     TEXT,                           -- NULL: the name is of no agent yet
  name         TEXT NOT NULL COLLATE NOCASE,
  team         TEXT COLLATE NOCASE,
  path         TEXT NOT NULL,
  branch       TEXT NOT NULL,
  base         TEXT NOT NULL,                  -- as the caller wrote it
  base_commit  TEXT NOT NULL,
  state        TEXT NOT NULL CHECK (state IN ('adding', 'active', 'removing', 'removed')),
  conflicts    INTEGER,                        -- files in conflict at the last check
  salvage_json TEXT,                           -- the last verified salvage
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX worktrees_path ON worktrees (path) WHERE state <> 'removed';
CREATE UNIQUE INDEX worktrees_branch ON worktrees (repo_id, branch) WHERE state <> 'removed';

CREATE TABLE worktree_requests (               -- what was answered, so that a repeated request changes nothing
  sender      TEXT NOT NULL,
  request_ref TEXT NOT NULL,
  payload     TEXT NOT NULL,
  answer_json TEXT NOT NULL,
  at          INTEGER NOT NULL,
  PRIMARY KEY (sender, request_ref)
) STRICT, WITHOUT ROWID;

CREATE TABLE collisions (
  collision_id TEXT PRIMARY KEY,
  repository   TEXT NOT NULL,                  -- its common folder
  path         TEXT NOT NULL,                  -- from the top of the repository
  agent_a      TEXT NOT NULL,
  agent_b      TEXT NOT NULL,
  tree_a       TEXT NOT NULL,
  tree_b       TEXT NOT NULL,
  certain      INTEGER NOT NULL,
  found_at     INTEGER NOT NULL,
  over_at      INTEGER
) STRICT;

CREATE UNIQUE INDEX collisions_open ON collisions (repository, path, agent_a, agent_b) WHERE over_at IS NULL;
