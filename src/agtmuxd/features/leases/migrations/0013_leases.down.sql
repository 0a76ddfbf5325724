DROP TABLE lease_requests;
DROP TABLE leases;
DROP TABLE lease_scopes;
DROP TABLE fence_seq;
