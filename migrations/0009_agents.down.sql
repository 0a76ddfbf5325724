DROP TABLE agent_requests;
DROP TABLE agent_numbers;
DROP TABLE agent_bindings;
DROP TABLE agents;
DROP TABLE teams;
