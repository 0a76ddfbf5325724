"""One module per agent, each with its rules file. The core never names an agent."""
