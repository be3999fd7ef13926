"""What every connector owes the hub, whichever vendor it reads; a connector joins with one file in ``vendors/``.

The tests ask a pretend vendor over a real socket and judge by the pretend world's own truth. Time is virtual: only waiting moves it, so that a wait
of a minute costs nothing and can be measured to the second.
"""
