"""Who is at this address, by SNMP: names and identifies, never scans."""
