"""One module per agent, plus its rules file. Core never names an agent."""
