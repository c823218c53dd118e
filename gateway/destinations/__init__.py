"""Where documents go, behind port.py; net.py is the guard of everything that leaves by network.

kinds.py what a kind is · registry.py those there are · push.py short notices, by mail, webhook or ntfy
folder webdav (dav) paperless (paperless_*)
sftp (sftp_*) s3 (s3_*) rclone (rclone_*) mail (letter, smtp*) webhook (signing)
http.py upload.py tidying.py names.py: what several of them need
"""
