"""What `tillstream status` tells: who answers, how far everyone has read, and what a person should look into."""
