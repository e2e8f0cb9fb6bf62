mod the_mirror;
