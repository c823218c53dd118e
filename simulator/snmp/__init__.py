"""A simulated SNMP agent: configurable answers at 1.3.6.1.2.1."""
