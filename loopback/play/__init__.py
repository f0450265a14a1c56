"""CloudFormation, played: stories of users and AWS, and whether the handler keeps its promise.

==============  ====================================================================
``story``       what users and AWS do, as data
``engine``      what CloudFormation makes of it: requests, statuses, events
``ledger``      what was ordered, what was taken back, what was stopped
``oracle``      whether each Stop had its order, and each order its end
``stage``       plays one story to its end
``search``      finds stories that break the promise, and makes them small
==============  ====================================================================
"""
