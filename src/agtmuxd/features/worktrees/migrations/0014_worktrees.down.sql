DROP TABLE collisions;
DROP TABLE worktree_requests;
DROP TABLE worktrees;
DROP TABLE repos;
